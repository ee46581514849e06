{%- set kinds = {
    'commission': "income_kind = 'commission'",
    'interest': "income_kind in ('margin_interest', 'repurchase_interest')",
    'product': "income_kind = 'product_fee'",
    'advice': "income_kind like 'advice_%'",
} %}
{%- set served = customer_measures() %}
{%- set asked = target_measures() %}

with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

employees as (
    select * from {{ ref('stg_gold__employees') }}
),

profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

-- who is asked for something has a row, even with nothing earned
targets as (
    select
        business_date as as_of_date,
        {% for measure in asked %}
        {{ measure }},
        {% endfor %}
        unit_id as employee_id
    from {{ ref('stg_gold__targets') }}
    where
        unit_level = 'employee'
        and target_month = {{ month_of('business_date') }}
),

summed_to_employee_day as (
    select
        employee_id,
        max(branch_id) as branch_id,
        max(employee_name_masked) as employee_name_masked,
        {% for kind, condition in kinds.items() %}
        sum(case when {{ condition }} then net_amount else 0 end) as {{ kind }}_net_amount,
        {% endfor %}
        {% for measure in income_measures() %}
        sum({{ measure }}) as {{ measure }},
        {% endfor %}
        business_date
    from attributed
    group by employee_id, business_date
),

incomes_to_date as (
    select
        trading_days.trading_date as as_of_date,
        max_by(by_day.branch_id, by_day.business_date) as branch_id,
        max_by(by_day.employee_name_masked, by_day.business_date) as employee_name_masked,
        {% for kind in kinds %}
        sum(by_day.{{ kind }}_net_amount) as {{ kind }}_net_amount,
        {% endfor %}
        {% for measure in income_measures() %}
        sum(by_day.{{ measure }}) as {{ measure }},
        {% endfor %}
        sum(
            case
                when trading_days.trading_date = by_day.business_date
                    then {{ income_after_deductions('by_day.') }}
                else 0
            end
        ) as day_after_deductions_amount,
        by_day.employee_id
    from trading_days
    inner join summed_to_employee_day as by_day
        on
            trading_days.trading_month = {{ month_of('by_day.business_date') }}
            and trading_days.trading_date >= by_day.business_date
    where {{ is_loaded_date('trading_days.trading_date') }}
    group by trading_days.trading_date, by_day.employee_id
),

-- a customer counts once, with the one who serves in the first place
customers_served as (
    select
        as_of_date,
        {% for measure, expression in served.items() %}
        {{ expression }} as {{ measure }},
        {% endfor %}
        coalesce(main_staff_employee_id, 'unassigned') as employee_id
    from profiles
    group by as_of_date, coalesce(main_staff_employee_id, 'unassigned')
),

both_sides as (
    select
        coalesce(incomes_to_date.as_of_date, customers_served.as_of_date, targets.as_of_date) as as_of_date,
        coalesce(incomes_to_date.employee_id, customers_served.employee_id, targets.employee_id) as employee_id,
        {% for measure in served %}
        coalesce(customers_served.{{ measure }}, 0) as {{ measure }},
        {% endfor %}
        {% for kind in kinds %}
        cast(coalesce(incomes_to_date.{{ kind }}_net_amount, 0) as decimal(18, 2)) as {{ kind }}_net_amount,
        {% endfor %}
        {% for measure in income_measures() %}
        cast(coalesce(incomes_to_date.{{ measure }}, 0) as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        {% for measure in asked %}
        targets.{{ measure }},
        {% endfor %}
        cast(coalesce(incomes_to_date.day_after_deductions_amount, 0) as decimal(18, 2)) as day_after_deductions_amount,
        incomes_to_date.branch_id,
        incomes_to_date.employee_name_masked
    from incomes_to_date
    full outer join customers_served
        on
            incomes_to_date.as_of_date = customers_served.as_of_date
            and incomes_to_date.employee_id = customers_served.employee_id
    full outer join targets
        on
            coalesce(incomes_to_date.as_of_date, customers_served.as_of_date) = targets.as_of_date
            and coalesce(incomes_to_date.employee_id, customers_served.employee_id) = targets.employee_id
),

described as (
    select
        both_sides.as_of_date,
        both_sides.employee_id,
        -- who has left the staff list keeps the name and branch of the last day with income
        coalesce(employees.employee_name_masked, both_sides.employee_name_masked) as employee_name_masked,
        coalesce(employees.branch_id, both_sides.branch_id, 'unassigned') as branch_id,
        {% for kind in kinds %}
        both_sides.{{ kind }}_net_amount,
        {% endfor %}
        {% for measure in income_measures() %}
        both_sides.{{ measure }},
        {% endfor %}
        {% for measure in served.keys() | list + asked %}
        both_sides.{{ measure }},
        {% endfor %}
        both_sides.day_after_deductions_amount,
        both_sides.employee_id = 'unassigned' as is_unassigned
    from both_sides
    left join employees
        on
            both_sides.employee_id = employees.employee_id
            and both_sides.as_of_date = employees.business_date
),

with_after_deductions as (
    select
        *,
        {{ income_after_deductions() }} as after_deductions_amount
    from described
),

final as (
    select
        {{ month_of('as_of_date') }} as performance_month,
        as_of_date,
        employee_id,
        employee_name_masked,
        branch_id,
        {% for measure in income_measures()[:3] %}
        {{ measure }},
        {% endfor %}
        {% for kind in kinds %}
        {{ kind }}_net_amount,
        {% endfor %}
        {% for measure in income_measures()[3:] %}
        {{ measure }},
        {% endfor %}
        after_deductions_amount,
        day_after_deductions_amount,
        -- what nobody earned has no rank
        {% for prefix in ['', 'day_'] %}
        case
            when not is_unassigned
                then
                    rank() over (
                        partition by as_of_date, branch_id, is_unassigned
                        order by {{ prefix }}after_deductions_amount desc
                    )
        end as {{ prefix }}branch_rank,
        case
            when not is_unassigned
                then
                    rank() over (
                        partition by as_of_date, is_unassigned order by {{ prefix }}after_deductions_amount desc
                    )
        end as {{ prefix }}firm_rank,
        {% endfor %}
        {% for measure in served if measure.endswith('_count') %}
        {{ measure }},
        {% endfor %}
        cast(customer_asset_amount as decimal(18, 2)) as customer_asset_amount,
        cast(month_average_asset_amount as decimal(18, 2)) as month_average_asset_amount,
        cast(net_inflow_amount as decimal(18, 2)) as net_inflow_amount,
        target_income_amount,
        target_inflow_amount,
        target_new_customer_count
    from with_after_deductions
)

select * from final
