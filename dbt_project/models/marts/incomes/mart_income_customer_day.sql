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

incomes as (
    select
        business_date,
        customer_id,
        business_line,
        'commission' as income_kind,
        gross_commission_amount as gross_amount,
        net_commission_amount as net_amount
    from trades
    union all
    -- what the customer pays leaves the account
    select
        business_date,
        customer_id,
        business_line,
        case business_code
            when 'repurchase_interest_paid' then 'repurchase_interest'
            else 'margin_interest'
        end as income_kind,
        -amount_cny as gross_amount,
        -amount_cny as net_amount
    from cash_flows
    where business_code in ('financing_interest_paid', 'short_interest_paid', 'repurchase_interest_paid')
    union all
    select
        business_date,
        customer_id,
        'fund' as business_line,
        'product_fee' as income_kind,
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
    select
        business_date,
        customer_id,
        business_line,
        concat('advice_', fee_kind) as income_kind,
        amount as gross_amount,
        amount as net_amount
    from advice_fees
),

final as (
    select
        business_date,
        -- the income of a client who was not delivered that day still belongs to the firm's total
        coalesce(customer_id, 'unlinked') as customer_id,
        business_line,
        income_kind,
        cast(sum(gross_amount) as decimal(18, 2)) as gross_amount,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount
    from incomes
    where {{ is_loaded_date('business_date') }}
    group by business_date, coalesce(customer_id, 'unlinked'), business_line, income_kind
)

select * from final
