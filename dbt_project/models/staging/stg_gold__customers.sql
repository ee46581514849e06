with source as (
    select * from {{ source('gold', 'customers') }}
),

final as (
    select
        customer_id,
        business_date,
        customer_kind,
        branch_id,
        name_masked,
        identity_kind,
        identity_token,
        identity_masked,
        birth_date,
        gender,
        mobile_phone_token,
        mobile_phone_masked,
        risk_level,
        risk_test_expiry_date,
        identity_expiry_date,
        customer_status,
        open_date,
        member_count,
        has_pension_account,
        manager_customer_id
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
