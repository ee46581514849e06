with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
    where income_kind = 'commission'
),

commissions as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
    where income_kind = 'commission'
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

-- two views of one total, by the employee's branch and by the account's: a branch may have either without the other
both_views_by_day as (
    select
        branch_id,
        business_date,
        turnover_amount,
        gross_amount as gross_commission_amount,
        net_amount as net_commission_amount,
        cast(0 as decimal(18, 2)) as account_branch_net_commission_amount
    from attributed
    union all
    select
        coalesce(branch_id, 'unassigned') as branch_id,
        business_date,
        cast(0 as decimal(18, 2)) as turnover_amount,
        cast(0 as decimal(18, 2)) as gross_commission_amount,
        cast(0 as decimal(18, 2)) as net_commission_amount,
        net_amount as account_branch_net_commission_amount
    from commissions
),

summed_to_branch_day as (
    select
        branch_id,
        business_date,
        sum(turnover_amount) as turnover_amount,
        sum(gross_commission_amount) as gross_commission_amount,
        sum(net_commission_amount) as net_commission_amount,
        sum(account_branch_net_commission_amount) as account_branch_net_commission_amount
    from both_views_by_day
    group by branch_id, business_date
),

month_to_date as (
    select
        trading_days.trading_month as commission_month,
        trading_days.trading_date as as_of_date,
        by_day.branch_id,
        cast(sum(by_day.turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(by_day.gross_commission_amount) as decimal(18, 2)) as gross_commission_amount,
        cast(sum(by_day.net_commission_amount) as decimal(18, 2)) as net_commission_amount,
        cast(sum(by_day.account_branch_net_commission_amount) as decimal(18, 2)) as account_branch_net_commission_amount
    from trading_days
    inner join summed_to_branch_day as by_day
        on
            trading_days.trading_month = {{ month_of('by_day.business_date') }}
            and trading_days.trading_date >= by_day.business_date
    where {{ is_loaded_date('trading_days.trading_date') }}
    group by trading_days.trading_month, trading_days.trading_date, by_day.branch_id
),

final as (
    select
        month_to_date.commission_month,
        month_to_date.as_of_date,
        month_to_date.branch_id,
        branches.branch_name,
        branches.region_name,
        month_to_date.turnover_amount,
        month_to_date.gross_commission_amount,
        month_to_date.net_commission_amount,
        month_to_date.account_branch_net_commission_amount
    from month_to_date
    left join branches
        on
            month_to_date.branch_id = branches.branch_id
            and month_to_date.as_of_date = branches.business_date
)

select * from final
