with holdings as (
    select * from {{ ref('stg_gold__holdings') }}
),

freshness as (
    select * from {{ ref('stg_gold__freshness') }}
),

final as (
    select
        holdings.business_date as as_of_date,
        holdings.business_line,
        holdings.account_id,
        holdings.customer_id,
        holdings.instrument_id,
        holdings.position_side,
        holdings.instrument_name,
        holdings.instrument_kind,
        holdings.quantity,
        holdings.restricted_quantity,
        holdings.price,
        holdings.currency_code,
        holdings.market_value_amount,
        holdings.product_risk_level,
        holdings.maturity_date,
        datediff(holdings.maturity_date, holdings.business_date) as maturity_days,
        freshness.as_of_date as block_as_of_date,
        freshness.is_stale
    from holdings
    left join freshness
        on
            holdings.business_line = freshness.block
            and holdings.business_date = freshness.business_date
    where {{ is_loaded_date('holdings.business_date') }}
)

select * from final
