with source as (
    select * from {{ source('gold', 'applications') }}
),

final as (
    select
        application_id,
        business_date,
        prospect_id,
        mobile_phone_token,
        mobile_phone_masked,
        name_masked,
        branch_id,
        application_step,
        application_status,
        started_date,
        stalled_minutes,
        aml_result,
        customer_id
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
