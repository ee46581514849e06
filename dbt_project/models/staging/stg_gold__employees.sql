with source as (
    select * from {{ source('gold', 'employees') }}
),

final as (
    select
        employee_id,
        business_date,
        employee_name_masked,
        branch_id
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
