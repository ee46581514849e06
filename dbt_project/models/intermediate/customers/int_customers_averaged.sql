with customers_with_assets as (
    select * from {{ ref('int_customers_with_assets') }}
),

customer_assets as (
    select * from {{ ref('stg_gold__customer_assets') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

calendar_counted_by_month as (
    select * from {{ ref('int_calendar_counted_by_month') }}
),

-- 62 natural days hold 20 trading days around any holiday, and the whole month: assert_calendar_covers_the_run
assets_by_day as (
    select
        customer_id,
        business_date,
        total_asset_amount,
        true as is_customer
    from customers_with_assets
    union all
    select
        customer_id,
        business_date,
        total_asset_amount,
        false as is_customer
    from customer_assets
    where
        business_date >= date_sub({{ run_date('first_date') }}, 62)
        and business_date < (select min(customers_with_assets.business_date) from customers_with_assets)
),

-- the frame counts trading days, not rows: a day without a row of the customer adds nothing, which is zero
summed_over_20_days as (
    select
        assets_by_day.customer_id,
        assets_by_day.business_date,
        assets_by_day.is_customer,
        assets_by_day.total_asset_amount,
        trading_days.trading_month,
        trading_days.is_month_last_trading_day,
        least(trading_days.trading_day_number, 20) as average_20d_days,
        sum(assets_by_day.total_asset_amount) over (
            partition by assets_by_day.customer_id
            order by trading_days.trading_day_number
            range between 19 preceding and current row
        ) as average_20d_sum_amount
    from assets_by_day
    inner join trading_days on assets_by_day.business_date = trading_days.trading_date
),

-- earlier trading days count with all their natural days of the month
summed_over_month as (
    select
        summed_over_20_days.*,
        calendar_counted_by_month.calendar_month,
        calendar_counted_by_month.natural_days,
        sum(summed_over_20_days.total_asset_amount * calendar_counted_by_month.natural_days) over (
            partition by summed_over_20_days.customer_id, calendar_counted_by_month.calendar_month
            order by summed_over_20_days.business_date
            rows between unbounded preceding and 1 preceding
        ) as earlier_days_sum_amount
    from summed_over_20_days
    inner join calendar_counted_by_month
        on summed_over_20_days.business_date = calendar_counted_by_month.trading_date
),

-- the date itself counts once, on the last trading day of a month for every day that is left
sums_at_date as (
    select
        customer_id,
        business_date,
        cast(average_20d_sum_amount as decimal(18, 2)) as average_20d_sum_amount,
        cast(average_20d_days as int) as average_20d_days,
        cast(
            coalesce(earlier_days_sum_amount, 0)
            + total_asset_amount * case when is_month_last_trading_day then natural_days else 1 end
            as decimal(18, 2)
        ) as month_average_sum_amount,
        datediff(
            case when is_month_last_trading_day then last_day(business_date) else business_date end,
            greatest(cast(trunc(business_date, 'MM') as date), {{ run_date('opening_date') }})
        ) + 1 as month_average_days
    from summed_over_month
    where
        is_customer
        and calendar_month = trading_month
),

-- the quotient of cents and at most 31 days is never nearer than 0.0001 to a half cent without being on it: the six
-- decimals Spark keeps round to the same cent as the exact quotient
final as (
    select
        customer_id,
        business_date,
        average_20d_sum_amount,
        average_20d_days,
        cast(
            round(average_20d_sum_amount / cast(average_20d_days as decimal(3, 0)), 2) as decimal(18, 2)
        ) as average_20d_asset_amount,
        month_average_sum_amount,
        month_average_days,
        cast(
            round(month_average_sum_amount / cast(month_average_days as decimal(3, 0)), 2) as decimal(18, 2)
        ) as month_average_asset_amount
    from sums_at_date
)

select * from final
