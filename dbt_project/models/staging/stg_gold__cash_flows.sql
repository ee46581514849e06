with source as (
    select * from {{ source('gold', 'cash_flows') }}
),

final as (
    select
        business_line,
        journal_id,
        business_date,
        account_id,
        customer_id,
        flow_class,
        amount_cny
    from source
    where
        {{ is_in_run_window('business_date') }}
        -- what moved on the opening date is in the baseline
        and business_date > {{ run_date('opening_date') }}
)

select * from final
