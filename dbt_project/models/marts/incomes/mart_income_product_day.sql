with incomes as (
    select * from {{ ref('int_incomes_summed_to_account_day') }}
    where {{ is_loaded_date('business_date') }}
),

trades as (
    select * from {{ ref('stg_gold__trades') }}
    where {{ is_loaded_date('business_date') }}
),

order_charges as (
    select * from {{ ref('stg_gold__order_charges') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

trades_with_kind as (
    select
        trades.business_line,
        trades.account_id,
        trades.business_date,
        case
            when trades.business_code in ('reverse_repo_lend', 'reverse_repo_return') then 'reverse_repo'
            when trades.business_line = 'option' then 'option'
            -- a security that is not in the master has no class; its income is in the total all the same
            else coalesce(order_charges.product_class, 'unknown')
        end as product_kind,
        trades.turnover_amount,
        trades.gross_commission_amount as gross_amount,
        trades.net_commission_amount as net_amount
    from trades
    left join order_charges
        on
            trades.business_line = order_charges.business_line
            and trades.account_id = order_charges.account_id
            and trades.order_id = order_charges.order_id
            and trades.business_date = order_charges.business_date
),

-- the branch of an account is told once, where incomes are
commissions as (
    select
        trades_with_kind.business_date,
        incomes.branch_id,
        trades_with_kind.product_kind,
        trades_with_kind.turnover_amount,
        trades_with_kind.gross_amount,
        trades_with_kind.net_amount
    from trades_with_kind
    left join incomes
        on
            trades_with_kind.business_line = incomes.account_line
            and trades_with_kind.account_id = incomes.account_id
            and trades_with_kind.business_date = incomes.business_date
            and incomes.income_kind = 'commission'
),

by_product as (
    select * from commissions
    union all
    select
        business_date,
        branch_id,
        case
            when income_kind = 'product_fee' then 'off_exchange_fund'
            when income_kind like 'advice_%' then 'advice'
            else 'lent_money'
        end as product_kind,
        turnover_amount,
        gross_amount,
        net_amount
    from incomes
    where income_kind != 'commission'
),

summed_to_product_day as (
    select
        business_date,
        coalesce(branch_id, 'unassigned') as branch_id,
        product_kind,
        cast(sum(turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(gross_amount) as decimal(18, 2)) as gross_amount,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount
    from by_product
    group by business_date, coalesce(branch_id, 'unassigned'), product_kind
),

final as (
    select
        summed_to_product_day.business_date,
        summed_to_product_day.branch_id,
        branches.region_name,
        summed_to_product_day.product_kind,
        summed_to_product_day.turnover_amount,
        summed_to_product_day.gross_amount,
        summed_to_product_day.net_amount
    from summed_to_product_day
    left join branches
        on
            summed_to_product_day.branch_id = branches.branch_id
            and summed_to_product_day.business_date = branches.business_date
)

select * from final
