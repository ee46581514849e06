with institutions as (
    select * from {{ ref('stg_gold__institutions') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, business_date
            order by updated_date desc, client_number asc
        ) as place
    from institutions
),

final as (
    select
        client_number,
        business_date,
        customer_id,
        institution_kind,
        investor_class,
        registered_capital_amount,
        licence_expiry_date,
        contact_name_masked,
        contact_phone_masked,
        updated_date
    from ranked
    -- of several client numbers the one described last speaks
    where place = 1
)

select * from final
