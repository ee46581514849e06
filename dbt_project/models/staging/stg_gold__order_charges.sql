with source as (
    select * from {{ source('gold', 'order_charges') }}
),

final as (
    select
        business_line,
        account_id,
        order_id,
        business_date,
        customer_id,
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
        previous_commission_amount,
        charged_fee_amount,
        expected_fee_amount
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
