with trades as (
    select * from {{ ref('stg_gold__trades') }}
),

cash_flows as (
    select * from {{ ref('stg_gold__cash_flows') }}
),

fund_confirmations as (
    select * from {{ ref('stg_gold__fund_confirmations') }}
),

advice_fees as (
    select * from {{ ref('stg_gold__advice_fees') }}
),

accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

incomes as (
    select
        business_date,
        business_line as account_line,
        account_id,
        customer_id,
        business_line,
        'commission' as income_kind,
        turnover_amount,
        gross_commission_amount as gross_amount,
        net_commission_amount as net_amount
    from trades
    union all
    -- what the customer pays leaves the account
    select
        business_date,
        business_line as account_line,
        account_id,
        customer_id,
        business_line,
        case business_code
            when 'repurchase_interest_paid' then 'repurchase_interest'
            else 'margin_interest'
        end as income_kind,
        cast(0 as decimal(18, 2)) as turnover_amount,
        -amount_cny as gross_amount,
        -amount_cny as net_amount
    from cash_flows
    where business_code in ('financing_interest_paid', 'short_interest_paid', 'repurchase_interest_paid')
    union all
    select
        business_date,
        'fund' as account_line,
        account_id,
        customer_id,
        'fund' as business_line,
        'product_fee' as income_kind,
        cast(0 as decimal(18, 2)) as turnover_amount,
        charge_amount as gross_amount,
        case
            when
                business_code = 'redemption'
                and business_date >= date '{{ var("redemption_fee_is_fund_asset_from") }}'
                then cast(0 as decimal(18, 2))
            else agency_fee_amount
        end as net_amount
    from fund_confirmations
    union all
    -- advice is given on an account of another line, whose staff it belongs to
    select
        business_date,
        case business_line when 'fund_advice' then 'fund' else 'normal' end as account_line,
        account_id,
        customer_id,
        business_line,
        concat('advice_', fee_kind) as income_kind,
        cast(0 as decimal(18, 2)) as turnover_amount,
        amount as gross_amount,
        amount as net_amount
    from advice_fees
),

-- from the month's first day: month-to-date figures need the days before the load
summed_to_account_day as (
    select
        account_line,
        account_id,
        business_date,
        business_line,
        income_kind,
        max(customer_id) as customer_id,
        cast(sum(turnover_amount) as decimal(18, 2)) as turnover_amount,
        cast(sum(gross_amount) as decimal(18, 2)) as gross_amount,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount
    from incomes
    where business_date >= {{ month_first_date() }}
    group by account_line, account_id, business_date, business_line, income_kind
),

with_deductions as (
    select
        *,
        {{ deducted_amount('vat') }} as vat_amount,
        {{ deducted_amount('protection_fund') }} as protection_fund_amount,
        {{ deducted_amount('funding_cost') }} as funding_cost_amount
    from summed_to_account_day
),

final as (
    select
        with_deductions.account_line,
        with_deductions.account_id,
        with_deductions.business_date,
        with_deductions.business_line,
        with_deductions.income_kind,
        with_deductions.customer_id,
        accounts.branch_id,
        with_deductions.turnover_amount,
        with_deductions.gross_amount,
        with_deductions.net_amount,
        with_deductions.vat_amount,
        with_deductions.protection_fund_amount,
        with_deductions.funding_cost_amount
    from with_deductions
    left join accounts
        on
            with_deductions.account_line = accounts.business_line
            and with_deductions.account_id = accounts.account_id
            and with_deductions.business_date = accounts.business_date
)

select * from final
