{%- set keys = ['account_line', 'account_id', 'customer_id', 'business_date', 'business_line', 'income_kind'] %}
{%- set measures = income_measures() %}
{%- set carried = keys + measures %}

with incomes as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
),

relations as (
    select * from {{ ref('int_relations_in_force') }}
),

employees as (
    select * from {{ ref('stg_gold__employees') }}
),

{{ attributed_amounts(keys, measures) }},

final as (
    select
        {% for column in carried %}
        amounts.{{ column }},
        {% endfor %}
        amounts.employee_id,
        employees.employee_name_masked,
        -- an employee the staff list does not know that day has no branch to credit
        coalesce(employees.branch_id, 'unassigned') as branch_id,
        amounts.pay_ratio
    from amounts
    left join employees
        on
            amounts.employee_id = employees.employee_id
            and amounts.business_date = employees.business_date
)

select * from final
