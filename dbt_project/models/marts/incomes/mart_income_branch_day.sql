with attributed as (
    select * from {{ ref('int_incomes_attributed') }}
),

incomes as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

-- two views of one total, by the employee's branch and by the account's: a branch may have either without the other
both_views as (
    select
        business_date,
        branch_id,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        {{ measure }},
        {% endfor %}
        cast(0 as decimal(18, 2)) as account_branch_net_amount
    from attributed
    union all
    select
        business_date,
        coalesce(branch_id, 'unassigned') as branch_id,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        cast(0 as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        net_amount as account_branch_net_amount
    from incomes
),

summed_to_branch_day as (
    select
        business_date,
        branch_id,
        business_line,
        income_kind,
        {% for measure in income_measures() %}
        cast(sum({{ measure }}) as decimal(18, 2)) as {{ measure }},
        {% endfor %}
        cast(sum(account_branch_net_amount) as decimal(18, 2)) as account_branch_net_amount
    from both_views
    where {{ is_loaded_date('business_date') }}
    group by business_date, branch_id, business_line, income_kind
),

with_after_deductions as (
    select
        *,
        {{ income_after_deductions() }} as after_deductions_amount
    from summed_to_branch_day
),

final as (
    select
        with_after_deductions.business_date,
        with_after_deductions.branch_id,
        branches.region_name,
        with_after_deductions.business_line,
        with_after_deductions.income_kind,
        {% for measure in income_measures() %}
        with_after_deductions.{{ measure }},
        {% endfor %}
        with_after_deductions.after_deductions_amount,
        with_after_deductions.account_branch_net_amount
    from with_after_deductions
    left join branches
        on
            with_after_deductions.branch_id = branches.branch_id
            and with_after_deductions.business_date = branches.business_date
)

select * from final
