with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

final as (
    select
        attributed.business_date,
        attributed.employee_id,
        attributed.branch_id,
        attributed.account_line,
        attributed.account_id,
        coalesce(attributed.customer_id, 'unlinked') as customer_id,
        attributed.business_line,
        attributed.income_kind,
        trading_days.relation_slice_date as relation_date,
        attributed.pay_ratio,
        {% for measure in income_measures() %}
        attributed.{{ measure }},
        {% endfor %}
        {{ income_after_deductions() }} as after_deductions_amount
    from attributed
    left join trading_days on attributed.business_date = trading_days.trading_date
    where {{ is_loaded_date('attributed.business_date') }}
)

select * from final
