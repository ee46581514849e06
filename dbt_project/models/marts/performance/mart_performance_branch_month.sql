{%- set kinds = ['commission_net_amount', 'interest_net_amount', 'product_net_amount', 'advice_net_amount'] %}
{%- set earned = income_measures() + kinds + ['after_deductions_amount'] %}
{%- set owned = customer_measures().keys() | list + ['covered_customer_count'] %}

with employee_months as (
    select * from {{ ref('mart_performance_employee_month') }}
),

profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

targets as (
    select * from {{ ref('stg_gold__targets') }}
    where target_month = {{ month_of('business_date') }}
),

customers_by_branch as (
    select
        as_of_date,
        {% for measure, expression in customer_measures().items() %}
        {{ expression }} as {{ measure }},
        {% endfor %}
        count_if(main_staff_employee_id is not null) as covered_customer_count,
        coalesce(branch_id, 'unassigned') as branch_id
    from profiles
    group by as_of_date, coalesce(branch_id, 'unassigned')
),

-- incomes by the branch of who earned them, customers by their own: a branch may have either without the other, or
-- nothing but a target
both_sides as (
    select
        as_of_date,
        {% for measure in earned %}
        {{ measure }},
        {% endfor %}
        {% for measure in owned %}
        cast(0 as {{ 'bigint' if measure.endswith('_count') else 'decimal(18, 2)' }}) as {{ measure }},
        {% endfor %}
        branch_id
    from employee_months
    union all
    select
        as_of_date,
        {% for measure in earned %}
        cast(0 as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        {% for measure in owned %}
        {{ measure }},
        {% endfor %}
        branch_id
    from customers_by_branch
    union all
    select
        business_date as as_of_date,
        {% for measure in earned %}
        cast(0 as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        {% for measure in owned %}
        cast(0 as {{ 'bigint' if measure.endswith('_count') else 'decimal(18, 2)' }}) as {{ measure }},
        {% endfor %}
        unit_id as branch_id
    from targets
    where unit_level = 'branch'
),

summed_to_branch as (
    select
        as_of_date,
        {% for measure in earned + owned %}
        sum({{ measure }}) as {{ measure }},
        {% endfor %}
        branch_id
    from both_sides
    group by as_of_date, branch_id
),

-- a branch counts in its own row, in that of its region and in the firm's
three_levels as (
    select
        summed_to_branch.*,
        explode(array(
            struct('branch' as unit_level, summed_to_branch.branch_id as unit_id, branches.branch_name as unit_name),
            struct(
                'region' as unit_level,
                coalesce(branches.region_name, 'unassigned') as unit_id,
                branches.region_name as unit_name
            ),
            struct('firm' as unit_level, 'firm' as unit_id, cast(null as string) as unit_name)
        )) as unit
    from summed_to_branch
    left join branches
        on
            summed_to_branch.branch_id = branches.branch_id
            and summed_to_branch.as_of_date = branches.business_date
),

summed_to_unit as (
    select
        three_levels.as_of_date,
        {% for measure in earned + owned %}
        sum(three_levels.{{ measure }}) as {{ measure }},
        {% endfor %}
        three_levels.unit.unit_level,
        three_levels.unit.unit_id,
        max(three_levels.unit.unit_name) as unit_name
    from three_levels
    group by three_levels.as_of_date, three_levels.unit.unit_level, three_levels.unit.unit_id
),

final as (
    select
        {{ month_of('summed_to_unit.as_of_date') }} as performance_month,
        summed_to_unit.as_of_date,
        summed_to_unit.unit_level,
        summed_to_unit.unit_id,
        summed_to_unit.unit_name,
        {% for measure in income_measures()[:3] + kinds + income_measures()[3:] + ['after_deductions_amount'] %}
        cast(summed_to_unit.{{ measure }} as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        {% for measure in owned if measure.endswith('_count') %}
        summed_to_unit.{{ measure }},
        {% endfor %}
        cast(summed_to_unit.customer_asset_amount as decimal(18, 2)) as customer_asset_amount,
        cast(summed_to_unit.month_average_asset_amount as decimal(18, 2)) as month_average_asset_amount,
        cast(summed_to_unit.net_inflow_amount as decimal(18, 2)) as net_inflow_amount,
        targets.target_income_amount,
        targets.target_inflow_amount,
        targets.target_new_customer_count
    from summed_to_unit
    left join targets
        on
            summed_to_unit.as_of_date = targets.business_date
            and summed_to_unit.unit_level = targets.unit_level
            and summed_to_unit.unit_id = targets.unit_id
)

select * from final
