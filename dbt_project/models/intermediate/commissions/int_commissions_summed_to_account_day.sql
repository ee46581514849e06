with trades as (
    select * from {{ ref('stg_gold__trades') }}
),

-- from the month's first day: month-to-date figures need the days before the load
trades_since_month_start as (
    select * from trades
    where business_date >= {{ month_first_date() }}
),

-- customer and branch are those of the account that day, so they do not split its row
final as (
    select
        business_line,
        account_id,
        business_date,
        customer_id,
        branch_id,
        count(*) as trade_count,
        cast(sum(turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(gross_commission_amount) as decimal(18, 2)) as gross_commission_amount,
        cast(sum(stamp_duty_amount) as decimal(18, 2)) as stamp_duty_amount,
        cast(sum(transfer_fee_amount) as decimal(18, 2)) as transfer_fee_amount,
        cast(sum(handling_fee_amount) as decimal(18, 2)) as handling_fee_amount,
        cast(sum(regulatory_fee_amount) as decimal(18, 2)) as regulatory_fee_amount,
        cast(sum(other_fee_amount) as decimal(18, 2)) as other_fee_amount,
        cast(sum(net_commission_amount) as decimal(18, 2)) as net_commission_amount
    from trades_since_month_start
    group by business_line, account_id, business_date, customer_id, branch_id
)

select * from final
