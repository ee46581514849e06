{{ config(materialized='ephemeral') }}

with agreements as (
    select * from {{ ref('stg_gold__advice_agreements') }}
),

fees as (
    select * from {{ ref('stg_gold__advice_fees') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

agreed as (
    select
        customer_id,
        business_date,
        count(agreement_id) as advice_agreement_count,
        min(end_date) as next_advice_end_date,
        -- a part of the fund holdings, never added to them
        sum(portfolio_amount) as fund_advice_amount,
        cast(0 as decimal(18, 2)) as year_advice_fee_amount
    from agreements
    where agreement_status = 'active' and customer_id is not null
    group by customer_id, business_date
),

paid_in_year as (
    select
        fees.customer_id,
        trading_days.trading_date as business_date,
        0 as advice_agreement_count,
        cast(null as date) as next_advice_end_date,
        cast(0 as decimal(18, 2)) as fund_advice_amount,
        sum(fees.amount) as year_advice_fee_amount
    from trading_days
    inner join fees
        on
            year(trading_days.trading_date) = year(fees.business_date)
            and trading_days.trading_date >= fees.business_date
    where {{ is_loaded_date('trading_days.trading_date') }} and fees.customer_id is not null
    group by fees.customer_id, trading_days.trading_date
),

either as (
    select * from agreed
    union all
    select * from paid_in_year
),

final as (
    select
        customer_id,
        business_date,
        cast(sum(advice_agreement_count) as int) as advice_agreement_count,
        min(next_advice_end_date) as next_advice_end_date,
        cast(sum(fund_advice_amount) as decimal(18, 2)) as fund_advice_amount,
        cast(sum(year_advice_fee_amount) as decimal(18, 2)) as year_advice_fee_amount
    from either
    group by customer_id, business_date
)

select * from final
