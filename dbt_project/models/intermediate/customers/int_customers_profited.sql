{%- set periods = ['day', 'month', 'year'] %}

with customers_with_assets as (
    select * from {{ ref('int_customers_with_assets') }}
),

customer_assets as (
    select * from {{ ref('stg_gold__customer_assets') }}
),

cash_flows as (
    select * from {{ ref('stg_gold__cash_flows') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

-- a period is counted from the last trading day before it, or from the opening baseline if that is later
base_dates as (
    select
        loaded_days.trading_date as business_date,
        {% for period, unit in [('month', 'MM'), ('year', 'YEAR')] %}
        coalesce(
            max(
                case
                    when earlier_days.trading_date < trunc(loaded_days.trading_date, '{{ unit }}')
                        then earlier_days.trading_date
                end
            ),
            {{ run_date('opening_date') }}
        ) as {{ period }}_base_date,
        {% endfor %}
        max(earlier_days.trading_date) as day_base_date
    from trading_days as loaded_days
    inner join trading_days as earlier_days
        on loaded_days.trading_date > earlier_days.trading_date
    where {{ is_loaded_date('loaded_days.trading_date') }}
    group by loaded_days.trading_date
),

customers_with_base_dates as (
    select
        customers_with_assets.customer_id,
        customers_with_assets.business_date,
        customers_with_assets.net_asset_amount,
        base_dates.day_base_date,
        base_dates.month_base_date,
        base_dates.year_base_date
    from customers_with_assets
    inner join base_dates on customers_with_assets.business_date = base_dates.business_date
),

-- what clients brought in less what they took out
brought_by_day as (
    select
        customer_id,
        business_date,
        sum(amount_cny) as brought_amount
    from cash_flows
    where
        flow_class in ('client_in', 'client_out')
        and customer_id is not null
    group by customer_id, business_date
),

brought_by_period as (
    select
        customers_with_base_dates.customer_id,
        {% for period in periods %}
        sum(
            case
                when brought_by_day.business_date > customers_with_base_dates.{{ period }}_base_date
                    then brought_by_day.brought_amount
            end
        ) as {{ period }}_brought_amount,
        {% endfor %}
        customers_with_base_dates.business_date
    from customers_with_base_dates
    inner join brought_by_day
        on
            customers_with_base_dates.customer_id = brought_by_day.customer_id
            and customers_with_base_dates.business_date >= brought_by_day.business_date
            and customers_with_base_dates.year_base_date < brought_by_day.business_date
    group by customers_with_base_dates.customer_id, customers_with_base_dates.business_date
),

-- a customer without a row at the base had nothing there
net_assets_at_base as (
    select
        customers_with_base_dates.customer_id,
        {% for period in periods %}
        sum(
            case
                when customer_assets.business_date = customers_with_base_dates.{{ period }}_base_date
                    then customer_assets.net_asset_amount
            end
        ) as {{ period }}_base_amount,
        {% endfor %}
        customers_with_base_dates.business_date
    from customers_with_base_dates
    inner join customer_assets
        on
            customers_with_base_dates.customer_id = customer_assets.customer_id
            and customer_assets.business_date in (
                customers_with_base_dates.day_base_date,
                customers_with_base_dates.month_base_date,
                customers_with_base_dates.year_base_date
            )
    group by customers_with_base_dates.customer_id, customers_with_base_dates.business_date
),

final as (
    select
        customers_with_base_dates.customer_id,
        customers_with_base_dates.business_date,
        {% for period in periods %}
        cast(
            customers_with_base_dates.net_asset_amount
            - coalesce(net_assets_at_base.{{ period }}_base_amount, 0)
            - coalesce(brought_by_period.{{ period }}_brought_amount, 0)
            as decimal(18, 2)
        ) as {{ period }}_profit_amount,
        {% endfor %}
        cast(
            customers_with_base_dates.net_asset_amount - coalesce(net_assets_at_base.month_base_amount, 0)
            as decimal(18, 2)
        ) as month_net_asset_change_amount
    from customers_with_base_dates
    left join brought_by_period
        on
            customers_with_base_dates.customer_id = brought_by_period.customer_id
            and customers_with_base_dates.business_date = brought_by_period.business_date
    left join net_assets_at_base
        on
            customers_with_base_dates.customer_id = net_assets_at_base.customer_id
            and customers_with_base_dates.business_date = net_assets_at_base.business_date
)

select * from final
