with source as (
    select * from {{ source('gold', 'accounts') }}
),

final as (
    select
        business_line,
        account_id,
        business_date,
        customer_id,
        system_code,
        client_number,
        account_role,
        branch_id,
        account_status,
        open_date,
        close_date
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
