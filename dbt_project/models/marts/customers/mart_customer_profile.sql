with customers as (
    select * from {{ ref('int_customers_described') }}
),

with_days as (
    select
        *,
        datediff(as_of_date, open_date) as open_days,
        {{ days_inactive('as_of_date') }} as inactive_days
    from customers
),

final as (
    select
        * except (open_days),
        {{ band_of('month_average_asset_amount', var('asset_bands')) }} as asset_band,
        {{ band_of('age_years', var('age_bands')) }} as age_band,
        -- the first that holds; what was brought in or taken out in the month is its change less its profit
        case
            when {{ customer_is_lost() }} then 'lost'
            when total_asset_amount = 0 and last_trade_date is null then 'not_funded'
            when open_days < {{ var('new_days') }} then 'new'
            when
                total_asset_amount <= average_20d_asset_amount * {{ var('at_risk_share_of_average') }}
                and month_net_asset_change_amount - month_profit_amount < 0
                then 'at_risk'
            when inactive_days >= {{ var('dormant_days') }} then 'dormant'
            when open_days < {{ var('growing_days') }} then 'growing'
            else 'mature'
        end as life_cycle,
        {{ customer_is_valid() }} as is_valid_customer
    from with_days
)

-- the enforced contract names the columns
select * from final -- noqa: AM04
