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
        business_code,
        flow_class,
        amount_cny
    from source
    where {{ is_after_baseline('business_date') }}
)

select * from final
