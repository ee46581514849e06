with order_charges as (
    select * from {{ ref('stg_gold__order_charges') }}
),

with_status as (
    select
        *,
        case
            when expected_commission_amount is null then 'no_agreed_rate'
            when charged_commission_amount = expected_commission_amount and charged_fee_amount = expected_fee_amount
                then 'as_agreed'
            when charged_commission_amount = expected_commission_amount then 'fees_differ'
            -- the rate agreed anew has not reached the counter
            when charged_commission_amount = previous_commission_amount then 'not_applied'
            when charged_commission_amount > expected_commission_amount then 'overcharged'
            else 'undercharged'
        end as charge_status
    from order_charges
),

final as (
    select
        business_date,
        business_line,
        account_id,
        order_id,
        coalesce(customer_id, 'unlinked') as customer_id,
        branch_id,
        product_class,
        exchange_code,
        currency_code,
        fill_count,
        turnover_amount,
        commission_rate,
        minimum_commission_amount,
        includes_regulatory_fee,
        rate_effective_date,
        charged_commission_amount,
        expected_commission_amount,
        cast(charged_commission_amount - expected_commission_amount as decimal(18, 2)) as commission_difference_amount,
        charged_fee_amount,
        expected_fee_amount,
        cast(charged_fee_amount - expected_fee_amount as decimal(18, 2)) as fee_difference_amount,
        charge_status
    from with_status
    where charge_status != 'as_agreed'
)

select * from final
