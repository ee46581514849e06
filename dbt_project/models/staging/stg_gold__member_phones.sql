with source as (
    select * from {{ source('gold', 'member_phones') }}
),

final as (
    select
        system_code,
        client_number,
        business_date,
        customer_id,
        mobile_phone_token,
        mobile_phone_masked,
        first_seen_date,
        first_open_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
