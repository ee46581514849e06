{#-
    The CTEs that split every row of the CTE `incomes` over the staff of the CTE `relations` (employee_id, pay_ratio), from
    `ratios_collected` to `amounts`, each measure on its own and to the cent.
    keys: what tells incomes apart. matched: columns the two have in common besides account and date.
-#}
{% macro attributed_amounts(keys, measures, matched=[]) -%}
{%- set carried = keys + measures %}
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
            {% for column in matched %}
            and incomes.{{ column }} = relations.{{ column }}
            {% endfor %}
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
)
{%- endmacro %}
