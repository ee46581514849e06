{{ config(materialized='ephemeral') }}

with credit_contracts as (
    select * from {{ ref('stg_gold__credit_contracts') }}
),

repurchase_contracts as (
    select * from {{ ref('stg_gold__repurchase_contracts') }}
),

cash_flows as (
    select * from {{ ref('stg_gold__cash_flows') }}
),

natural_days as (
    select * from {{ ref('int_natural_days_delivered') }}
),

-- the trading day before the load's first one is never a month away
contracts as (
    select
        'credit' as business_line,
        account_id,
        business_date,
        'margin_interest' as accrual_kind,
        unpaid_interest_amount,
        waived_interest_amount
    from credit_contracts
    where business_date >= date_sub({{ run_date('first_date') }}, 31)
    union all
    select
        'normal' as business_line,
        account_id,
        business_date,
        'repurchase_interest' as accrual_kind,
        unpaid_interest_amount,
        cast(0 as decimal(18, 2)) as waived_interest_amount
    from repurchase_contracts
    where business_date >= date_sub({{ run_date('first_date') }}, 31)
),

trading_days as (
    select
        business_date,
        previous_trading_date
    from natural_days
    where natural_date = business_date
),

-- a contract that is gone owes nothing: what it owed the day before was paid, or it is lost
changes as (
    select
        contracts.business_line,
        contracts.account_id,
        contracts.accrual_kind,
        contracts.business_date,
        contracts.unpaid_interest_amount + contracts.waived_interest_amount as accrued_amount,
        cast(0 as decimal(18, 2)) as collected_amount,
        contracts.unpaid_interest_amount
    from contracts
    inner join trading_days on contracts.business_date = trading_days.business_date
    union all
    select
        contracts.business_line,
        contracts.account_id,
        contracts.accrual_kind,
        trading_days.business_date,
        -contracts.unpaid_interest_amount as accrued_amount,
        cast(0 as decimal(18, 2)) as collected_amount,
        cast(0 as decimal(18, 2)) as unpaid_interest_amount
    from contracts
    inner join trading_days on contracts.business_date = trading_days.previous_trading_date
    union all
    select
        business_line,
        account_id,
        case business_code
            when 'repurchase_interest_paid' then 'repurchase_interest'
            else 'margin_interest'
        end as accrual_kind,
        business_date,
        -amount_cny as accrued_amount,
        -amount_cny as collected_amount,
        cast(0 as decimal(18, 2)) as unpaid_interest_amount
    from cash_flows
    where
        business_code in ('financing_interest_paid', 'short_interest_paid', 'repurchase_interest_paid')
        and {{ is_loaded_date('business_date') }}
),

summed_to_trading_day as (
    select
        business_line,
        account_id,
        accrual_kind,
        business_date,
        cast(sum(accrued_amount) * 100 as decimal(20, 0)) as accrued_cents,
        cast(sum(collected_amount) as decimal(18, 2)) as collected_amount,
        cast(sum(unpaid_interest_amount) as decimal(18, 2)) as unpaid_amount
    from changes
    group by business_line, account_id, accrual_kind, business_date
),

-- day by day the same, the cents left over on the first of them
final as (
    select
        summed_to_trading_day.business_line,
        summed_to_trading_day.account_id,
        summed_to_trading_day.accrual_kind,
        'lent_money' as product_kind,
        natural_days.natural_date as accrual_date,
        natural_days.business_date,
        cast(
            case when summed_to_trading_day.accrued_cents < 0 then -0.01 else 0.01 end
            * (
                abs(summed_to_trading_day.accrued_cents) div natural_days.natural_day_count
                + case
                    when
                        natural_days.natural_day_number
                        <= abs(summed_to_trading_day.accrued_cents) % natural_days.natural_day_count
                        then 1
                    else 0
                end
            )
            as decimal(18, 2)
        ) as accrued_amount,
        case
            when natural_days.natural_date = natural_days.business_date
                then summed_to_trading_day.collected_amount
            else 0
        end as collected_amount,
        case
            when natural_days.natural_date = natural_days.business_date
                then summed_to_trading_day.unpaid_amount
        end as unpaid_amount
    from summed_to_trading_day
    inner join natural_days on summed_to_trading_day.business_date = natural_days.business_date
)

select * from final
