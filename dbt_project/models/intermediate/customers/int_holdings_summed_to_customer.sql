{{ config(materialized='ephemeral') }}

with holdings as (
    select * from {{ ref('stg_gold__holdings') }}
),

customers as (
    select * from {{ ref('stg_gold__customers') }}
),

-- R1 to R5 against C1 to C5; the lowest level C1_MINIMUM may hold what C1 may; an unknown level mismatches with nothing
final as (
    select
        holdings.customer_id,
        holdings.business_date,
        cast(count(distinct holdings.instrument_id) as int) as holding_count,
        cast(count_if(
            cast(substr(holdings.product_risk_level, 2, 1) as int) > cast(substr(customers.risk_level, 2, 1) as int)
        ) as int) as mismatched_holding_count,
        min(
            case
                when holdings.business_line = 'option' and holdings.maturity_date >= holdings.business_date
                    then holdings.maturity_date
            end
        ) as next_option_expiry_date,
        min(
            case
                when holdings.business_line = 'fund' and holdings.maturity_date >= holdings.business_date
                    then holdings.maturity_date
            end
        ) as next_product_maturity_date
    from holdings
    inner join customers
        on
            holdings.customer_id = customers.customer_id
            and holdings.business_date = customers.business_date
    where {{ is_loaded_date('holdings.business_date') }}
    group by holdings.customer_id, holdings.business_date
)

select * from final
