with source as (
    select * from {{ source('gold', 'institutions') }}
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
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
