-- The firm's commission is one number: fills of a month to date = employees with unassigned = branches = branches of
-- the accounts, and fills of a day = customers, at every loaded date and to the cent. Gives the dates that differ.
{% set measures = ['turnover_amount', 'gross_commission_amount', 'net_commission_amount'] %}

with trades as (
    select * from {{ ref('stg_gold__trades') }}
),

customer_days as (
    select * from {{ ref('mart_commission_customer_day') }}
),

employee_months as (
    select * from {{ ref('mart_commission_employee_month') }}
),

branch_months as (
    select * from {{ ref('mart_commission_branch_month') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

-- one scan of each side, told apart by name
amounts_by_day as (
    select
        'fills' as total_name,
        business_date as as_of_date,
        turnover_amount,
        gross_commission_amount,
        net_commission_amount,
        cast(0 as decimal(18, 2)) as account_branch_net_commission_amount
    from trades
    where business_date >= {{ month_first_date() }}
    union all
    select
        'customers' as total_name,
        business_date as as_of_date,
        turnover_amount,
        gross_commission_amount,
        net_commission_amount,
        cast(0 as decimal(18, 2)) as account_branch_net_commission_amount
    from customer_days
    union all
    select
        'employees' as total_name,
        as_of_date,
        turnover_amount,
        gross_commission_amount,
        net_commission_amount,
        cast(0 as decimal(18, 2)) as account_branch_net_commission_amount
    from employee_months
    union all
    select
        'branches' as total_name,
        as_of_date,
        turnover_amount,
        gross_commission_amount,
        net_commission_amount,
        account_branch_net_commission_amount
    from branch_months
),

totals_by_day as (
    select
        as_of_date,
        {% for total in ['fills', 'customers', 'employees', 'branches'] %}
        {% for measure in measures %}
        sum(case when total_name = '{{ total }}' then {{ measure }} else 0 end) as {{ total }}_{{ measure }},
        {% endfor %}
        {% endfor %}
        sum(account_branch_net_commission_amount) as account_branches_net_commission_amount
    from amounts_by_day
    group by as_of_date
),

with_month_to_date as (
    select
        trading_days.trading_date as as_of_date,
        {% for measure in measures %}
        coalesce(sum(totals_by_day.fills_{{ measure }}) over (
            partition by trading_days.trading_month
            order by trading_days.trading_date
            rows between unbounded preceding and current row
        ), 0) as firm_{{ measure }},
        coalesce(totals_by_day.fills_{{ measure }}, 0) as fills_{{ measure }},
        coalesce(totals_by_day.customers_{{ measure }}, 0) as customers_{{ measure }},
        coalesce(totals_by_day.employees_{{ measure }}, 0) as employees_{{ measure }},
        coalesce(totals_by_day.branches_{{ measure }}, 0) as branches_{{ measure }},
        {% endfor %}
        coalesce(totals_by_day.account_branches_net_commission_amount, 0) as account_branches_net_commission_amount
    from trading_days
    left join totals_by_day on trading_days.trading_date = totals_by_day.as_of_date
)

select * from with_month_to_date
where
    {{ is_loaded_date('as_of_date') }}
    and not (
        account_branches_net_commission_amount = firm_net_commission_amount
        {% for measure in measures %}
        and customers_{{ measure }} = fills_{{ measure }}
        and employees_{{ measure }} = firm_{{ measure }}
        and branches_{{ measure }} = firm_{{ measure }}
        {% endfor %}
    )
