with source as (
    select * from {{ source('gold', 'holdings') }}
),

final as (
    select
        business_line,
        account_id,
        instrument_id,
        position_side,
        business_date,
        customer_id,
        instrument_name,
        instrument_kind,
        quantity,
        restricted_quantity,
        price,
        currency_code,
        market_value_amount,
        product_risk_level,
        maturity_date,
        management_fee_rate
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
