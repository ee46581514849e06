-- Of every date, kinds of product = the firm's income: turnover, gross and net, to the cent.
-- Gives the dates that differ.
{% set measures = ['turnover_amount', 'gross_amount', 'net_amount'] %}

with amounts as (
    select
        business_date,
        {% for measure in measures %}
        {{ measure }},
        {% endfor %}
        1 as sign_of_side
    from {{ ref('mart_income_product_day') }}
    union all
    select
        business_date,
        {% for measure in measures %}
        {{ measure }},
        {% endfor %}
        -1 as sign_of_side
    from {{ ref('mart_income_customer_day') }}
),

differences as (
    select
        {% for measure in measures %}
        sum({{ measure }} * sign_of_side) as {{ measure }},
        {% endfor %}
        business_date
    from amounts
    group by business_date
)

select * from differences
where
    not (
        business_date is not null
        {% for measure in measures %}
        and {{ measure }} = 0
        {% endfor %}
    )
