-- The firm's income is one number: of every day and kind, accounts = customers = employees with unassigned = branches
-- = each view of relations, every measure to the cent, and of net income = branches of the accounts. Gives the days and
-- kinds that differ.
{% set sides = {
    'accounts': ref('int_incomes_summed_to_account_day'),
    'customers': ref('mart_income_customer_day'),
    'employees': ref('mart_income_employee_day'),
    'branches': ref('mart_income_branch_day'),
    'development': ref('mart_income_view_day'),
    'service': ref('mart_income_view_day'),
    'broker': ref('mart_income_view_day'),
} %}

with amounts as (
    {% for side, relation in sides.items() %}
    select
        '{{ side }}' as side_name,
        business_date,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        {{ measure }},
        {% endfor %}
        {{ 'account_branch_net_amount' if side == 'branches' else 'net_amount' }} as other_net_amount
    from {{ relation }}
    where
        {{ is_loaded_date('business_date') }}
        {% if side in ('development', 'service', 'broker') %}
        and relation_view = '{{ side }}'
        {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

summed as (
    select
        business_date,
        business_line,
        income_kind,
        {% for side in sides %}
        {% for measure in income_measures() + ['other_net_amount'] %}
        sum(case when side_name = '{{ side }}' then {{ measure }} else 0 end) as {{ side }}_{{ measure }},
        {% endfor %}
        {% endfor %}
        count(*) as row_count
    from amounts
    group by business_date, business_line, income_kind
)

select * from summed
where
    not (
        row_count > 0
        {% for side in sides %}
        {% for measure in income_measures() + ['other_net_amount'] %}
        and {{ side }}_{{ measure }} = accounts_{{ measure }}
        {% endfor %}
        {% endfor %}
    )
