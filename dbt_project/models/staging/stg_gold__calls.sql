with source as (
    select * from {{ source('gold', 'calls') }}
),

final as (
    select
        call_id,
        business_date,
        mobile_phone_token,
        call_direction,
        call_result
    from source
    where {{ is_after_baseline('business_date') }}
)

select * from final
