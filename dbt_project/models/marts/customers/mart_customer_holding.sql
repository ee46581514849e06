with holdings as (
    select * from {{ ref('stg_gold__holdings') }}
),

final as (
    select
        business_date as as_of_date,
        business_line,
        account_id,
        customer_id,
        instrument_id,
        position_side,
        instrument_name,
        instrument_kind,
        quantity,
        restricted_quantity,
        price,
        currency_code,
        market_value_amount
    from holdings
    where {{ is_loaded_date('business_date') }}
)

select * from final
