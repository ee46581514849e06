-- Of every date, branches = regions = the firm = the employees with unassigned, every additive measure to the cent.
-- Gives the dates and levels that differ.
{% set measures = income_measures() + ['after_deductions_amount'] + customer_measures().keys() | list %}

with units as (
    select
        as_of_date,
        unit_level as level_name,
        {{ measures | join(', ') }}
    from {{ ref('mart_performance_branch_month') }}
),

employees as (
    select
        as_of_date,
        'employee' as level_name,
        {{ measures | join(', ') }}
    from {{ ref('mart_performance_employee_month') }}
),

levels as (
    select * from units
    union all
    select * from employees
),

summed as (
    select
        as_of_date,
        {% for measure in measures %}
        sum({{ measure }}) as {{ measure }},
        {% endfor %}
        level_name
    from levels
    group by as_of_date, level_name
)

select
    summed.as_of_date,
    summed.level_name
from summed
left join summed as firm
    on
        summed.as_of_date = firm.as_of_date
        and firm.level_name = 'firm'
where
    not (
        firm.as_of_date is not null
        {% for measure in measures %}
        and summed.{{ measure }} = firm.{{ measure }}
        {% endfor %}
    )
