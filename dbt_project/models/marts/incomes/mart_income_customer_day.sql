with incomes as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
),

summed_to_customer_day as (
    select
        business_date,
        -- the income of a client who was not delivered that day still belongs to the firm's total
        coalesce(customer_id, 'unlinked') as customer_id,
        business_line,
        {% for measure in income_measures() %}
        cast(sum({{ measure }}) as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        income_kind
    from incomes
    where {{ is_loaded_date('business_date') }}
    group by business_date, coalesce(customer_id, 'unlinked'), business_line, income_kind
),

final as (
    select
        business_date,
        customer_id,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        {{ measure }},
        {% endfor %}
        {{ income_after_deductions() }} as after_deductions_amount
    from summed_to_customer_day
)

select * from final
