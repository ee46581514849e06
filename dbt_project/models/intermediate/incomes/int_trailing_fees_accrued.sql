{{ config(materialized='ephemeral') }}

with holdings as (
    select * from {{ ref('stg_gold__holdings') }}
),

accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

customers as (
    select * from {{ ref('stg_gold__customers') }}
),

natural_days as (
    select * from {{ ref('int_natural_days_delivered') }}
),

yearly_fees as (
    select
        holdings.account_id,
        holdings.instrument_kind as product_kind,
        natural_days.natural_date as accrual_date,
        natural_days.business_date,
        -- typed so that the quotient below keeps eighteen digits: no amount is rounded twice
        cast(sum(holdings.market_value_amount * holdings.management_fee_rate) as decimal(22, 10)) as yearly_fee_amount
    from natural_days
    inner join holdings on natural_days.valued_date = holdings.business_date
    where
        holdings.business_line = 'fund'
        -- the trading day before the load's first one is never a month away
        and holdings.business_date >= date_sub({{ run_date('first_date') }}, 31)
        and holdings.management_fee_rate > 0
    group by holdings.account_id, holdings.instrument_kind, natural_days.natural_date, natural_days.business_date
),

with_customer_kind as (
    select
        yearly_fees.*,
        customers.customer_kind
    from yearly_fees
    left join accounts
        on
            accounts.business_line = 'fund'
            and yearly_fees.account_id = accounts.account_id
            and yearly_fees.business_date = accounts.business_date
    left join customers
        on
            accounts.customer_id = customers.customer_id
            and accounts.business_date = customers.business_date
),

final as (
    select
        'fund' as business_line,
        account_id,
        'trailing_fee' as accrual_kind,
        product_kind,
        accrual_date,
        business_date,
        cast(
            round(
                yearly_fee_amount * {{ trailing_fee_ratio() }} / {{ var('trailing_fee_days_in_year') }}, 2
            ) as decimal(18, 2)
        ) as accrued_amount
    from with_customer_kind
)

select * from final
