{%- set keys = [
    'relation_view', 'account_line', 'account_id', 'business_date', 'business_line', 'income_kind'
] %}
{%- set measures = income_measures() %}

with account_incomes as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
    where {{ is_loaded_date('business_date') }}
),

relations as (
    select * from {{ ref('int_relations_by_view') }}
),

employees as (
    select * from {{ ref('stg_gold__employees') }}
),

-- every view has every income once
incomes as (
    select
        *,
        explode(array('development', 'service', 'broker')) as relation_view
    from account_incomes
),

{{ attributed_amounts(keys, measures, ['relation_view']) }},

summed_to_employee_day as (
    select
        business_date,
        relation_view,
        employee_id,
        business_line,
        {% for measure in measures %}
        cast(sum({{ measure }}) as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        income_kind
    from amounts
    group by business_date, relation_view, employee_id, business_line, income_kind
),

with_after_deductions as (
    select
        *,
        {{ income_after_deductions() }} as after_deductions_amount
    from summed_to_employee_day
),

final as (
    select
        with_after_deductions.business_date,
        with_after_deductions.relation_view,
        with_after_deductions.employee_id,
        coalesce(employees.branch_id, 'unassigned') as branch_id,
        with_after_deductions.business_line,
        with_after_deductions.income_kind,
        {% for measure in measures %}
        with_after_deductions.{{ measure }},
        {% endfor %}
        with_after_deductions.after_deductions_amount
    from with_after_deductions
    left join employees
        on
            with_after_deductions.employee_id = employees.employee_id
            and with_after_deductions.business_date = employees.business_date
)

select * from final
