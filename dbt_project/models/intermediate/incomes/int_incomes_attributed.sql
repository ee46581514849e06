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

ratios_collected as (
    select
        {% for column in carried %}
        incomes.{{ column }},
        {% endfor %}
        coalesce(sum(relations.pay_ratio), 0) as ratio_sum,
        -- collect_list leaves out the null of an account without a relation
        collect_list(
            case
                when relations.employee_id is not null
                    then struct(relations.employee_id as employee_id, relations.pay_ratio as pay_ratio)
            end
        ) as staff
    from incomes
    left join relations
        on
            incomes.account_line = relations.business_line
            and incomes.account_id = relations.account_id
            and incomes.business_date = relations.business_date
    group by incomes.{{ carried | join(', incomes.') }}
),

-- ratios above one cannot be paid out: nobody gets anything until they are corrected
completed_to_one as (
    select
        {% for column in carried %}
        {{ column }},
        {% endfor %}
        case
            when ratio_sum = 1 then staff
            when ratio_sum > 1
                then array(struct('unassigned' as employee_id, cast(1 as decimal(12, 8)) as pay_ratio))
            else
                concat(
                    staff,
                    array(struct('unassigned' as employee_id, cast(1 - ratio_sum as decimal(12, 8)) as pay_ratio))
                )
        end as staff
    from ratios_collected
),

one_row_per_employee as (
    select
        {% for column in carried %}
        {{ column }},
        {% endfor %}
        explode(staff) as staff_share
    from completed_to_one
),

split_in_cents as (
    select
        {% for key in keys %}
        one_row_per_employee.{{ key }},
        {% endfor %}
        one_row_per_employee.staff_share.employee_id,
        {% for measure in measures %}
        one_row_per_employee.{{ measure }},
        {{ share_in_cents(measure, 'one_row_per_employee.staff_share.pay_ratio') }} as {{ measure }}_share_cents,
        {% endfor %}
        one_row_per_employee.staff_share.pay_ratio
    from one_row_per_employee
),

whole_cents as (
    select
        {% for key in keys %}
        {{ key }},
        {% endfor %}
        employee_id,
        employee_id = 'unassigned' as is_unassigned,
        {% for measure in measures %}
        {{ measure }},
        {{ measure }}_share_cents,
        cast(floor({{ measure }}_share_cents) as decimal(20, 0)) as {{ measure }}_floor_cents,
        {% endfor %}
        pay_ratio
    from split_in_cents
),

left_over_ranked as (
    select
        {% for key in keys %}
        {{ key }},
        {% endfor %}
        employee_id,
        {% for measure in measures %}
        {{ measure }},
        {{ measure }}_floor_cents,
        abs({{ measure }}) * 100 - sum({{ measure }}_floor_cents) over income as {{ measure }}_left_over_cents,
        row_number() over (
            partition by {{ keys | join(', ') }}
            order by {{ measure }}_share_cents - {{ measure }}_floor_cents desc, is_unassigned asc, employee_id asc
        ) as {{ measure }}_remainder_rank,
        {% endfor %}
        pay_ratio
    from whole_cents
    window income as (partition by {{ keys | join(', ') }})
),

amounts as (
    select
        {% for key in keys %}
        {{ key }},
        {% endfor %}
        employee_id,
        {% for measure in measures %}
        cast(
            case when {{ measure }} < 0 then -0.01 else 0.01 end
            * (
                {{ measure }}_floor_cents
                + case when {{ measure }}_remainder_rank <= {{ measure }}_left_over_cents then 1 else 0 end
            )
            as decimal(18, 2)
        ) as {{ measure }},
        {% endfor %}
        pay_ratio
    from left_over_ranked
),

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
