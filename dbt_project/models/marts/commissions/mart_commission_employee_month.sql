with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
    where income_kind = 'commission'
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

employees as (
    select * from {{ ref('stg_gold__employees') }}
),

summed_to_employee_day as (
    select
        employee_id,
        business_date,
        max(branch_id) as branch_id,
        max(employee_name_masked) as employee_name_masked,
        sum(turnover_amount) as turnover_amount,
        sum(gross_amount) as gross_commission_amount,
        sum(net_amount) as net_commission_amount
    from attributed
    group by employee_id, business_date
),

month_to_date as (
    select
        trading_days.trading_month as commission_month,
        trading_days.trading_date as as_of_date,
        by_day.employee_id,
        max_by(by_day.employee_name_masked, by_day.business_date) as employee_name_masked,
        max_by(by_day.branch_id, by_day.business_date) as branch_id,
        cast(sum(by_day.turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(by_day.gross_commission_amount) as decimal(18, 2)) as gross_commission_amount,
        cast(sum(by_day.net_commission_amount) as decimal(18, 2)) as net_commission_amount
    from trading_days
    inner join summed_to_employee_day as by_day
        on
            trading_days.trading_month = {{ month_of('by_day.business_date') }}
            and trading_days.trading_date >= by_day.business_date
    where {{ is_loaded_date('trading_days.trading_date') }}
    group by trading_days.trading_month, trading_days.trading_date, by_day.employee_id
),

final as (
    select
        month_to_date.commission_month,
        month_to_date.as_of_date,
        month_to_date.employee_id,
        -- who has left the staff list keeps the name and branch of the last day with commission
        coalesce(employees.employee_name_masked, month_to_date.employee_name_masked) as employee_name_masked,
        coalesce(employees.branch_id, month_to_date.branch_id) as branch_id,
        month_to_date.turnover_amount,
        month_to_date.gross_commission_amount,
        month_to_date.net_commission_amount
    from month_to_date
    left join employees
        on
            month_to_date.employee_id = employees.employee_id
            and month_to_date.as_of_date = employees.business_date
)

select * from final
