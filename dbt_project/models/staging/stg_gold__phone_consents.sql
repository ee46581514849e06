with source as (
    select * from {{ source('gold', 'phone_consents') }}
),

final as (
    select
        mobile_phone_token,
        business_date,
        consent_kind
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
