with source as (
    select * from {{ source('gold', 'staff_relations') }}
),

final as (
    select
        business_line,
        account_id,
        employee_id,
        business_date,
        relation_kind,
        is_main_service,
        pay_ratio,
        effective_date
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
