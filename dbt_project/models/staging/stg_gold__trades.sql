with source as (
    select * from {{ source('gold', 'trades') }}
),

final as (
    select
        business_line,
        trade_id,
        business_date,
        order_id,
        account_id,
        customer_id,
        branch_id,
        instrument_id,
        instrument_kind,
        business_code,
        position_side,
        channel,
        turnover_amount,
        gross_commission_amount,
        stamp_duty_amount,
        transfer_fee_amount,
        handling_fee_amount,
        regulatory_fee_amount,
        other_fee_amount,
        net_commission_amount
    from source
    where {{ is_after_baseline('business_date') }}
)

select * from final
