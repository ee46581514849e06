with trades as (
    select * from {{ ref('stg_gold__trades') }}
),

final as (
    select
        business_date,
        -- the fill of a client who was not delivered that day still belongs to the firm's total
        coalesce(customer_id, 'unlinked') as customer_id,
        business_line,
        count(*) as trade_count,
        cast(sum(turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(gross_commission_amount) as decimal(18, 2)) as gross_commission_amount,
        cast(sum(stamp_duty_amount) as decimal(18, 2)) as stamp_duty_amount,
        cast(sum(transfer_fee_amount) as decimal(18, 2)) as transfer_fee_amount,
        cast(sum(handling_fee_amount) as decimal(18, 2)) as handling_fee_amount,
        cast(sum(regulatory_fee_amount) as decimal(18, 2)) as regulatory_fee_amount,
        cast(sum(other_fee_amount) as decimal(18, 2)) as other_fee_amount,
        cast(sum(net_commission_amount) as decimal(18, 2)) as net_commission_amount
    from trades
    where {{ is_loaded_date('business_date') }}
    group by business_date, coalesce(customer_id, 'unlinked'), business_line
)

select * from final
