with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
),

summed_to_employee_day as (
    select
        business_date,
        employee_id,
        business_line,
        max(branch_id) as branch_id,
        {% for measure in income_measures() %}
        cast(sum({{ measure }}) as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        income_kind
    from attributed
    where {{ is_loaded_date('business_date') }}
    group by business_date, employee_id, business_line, income_kind
),

final as (
    select
        business_date,
        employee_id,
        branch_id,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        {{ measure }},
        {% endfor %}
        {{ income_after_deductions() }} as after_deductions_amount
    from summed_to_employee_day
)

select * from final
