with customers as (
    select * from {{ ref('stg_gold__customers') }}
),

customer_assets as (
    select * from {{ ref('stg_gold__customer_assets') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

final as (
    select
        customers.customer_id,
        customers.business_date,
        customers.customer_kind,
        customers.name_masked,
        customers.identity_kind,
        customers.identity_masked,
        customers.identity_token,
        customers.mobile_phone_masked,
        customers.mobile_phone_token,
        customers.birth_date,
        customers.gender,
        customers.branch_id,
        customers.risk_level,
        customers.risk_test_expiry_date,
        customers.identity_expiry_date,
        customers.member_count,
        customers.has_pension_account,
        customers.customer_status,
        customers.open_date,
        customers.manager_customer_id,
        -- a customer without an account row that day owns nothing we know of: zero, not unknown
        coalesce(customer_assets.cash_amount, cast(0 as decimal(18, 2))) as cash_amount,
        coalesce(customer_assets.securities_amount, cast(0 as decimal(18, 2))) as securities_amount,
        coalesce(customer_assets.restricted_amount, cast(0 as decimal(18, 2))) as restricted_amount,
        coalesce(customer_assets.in_transit_amount, cast(0 as decimal(18, 2))) as in_transit_amount,
        coalesce(customer_assets.fund_amount, cast(0 as decimal(18, 2))) as fund_amount,
        coalesce(customer_assets.credit_asset_amount, cast(0 as decimal(18, 2))) as credit_asset_amount,
        coalesce(customer_assets.credit_debt_amount, cast(0 as decimal(18, 2))) as credit_debt_amount,
        coalesce(customer_assets.credit_net_amount, cast(0 as decimal(18, 2))) as credit_net_amount,
        coalesce(customer_assets.option_equity_amount, cast(0 as decimal(18, 2))) as option_equity_amount,
        coalesce(customer_assets.repurchase_asset_amount, cast(0 as decimal(18, 2))) as repurchase_asset_amount,
        coalesce(customer_assets.repurchase_debt_amount, cast(0 as decimal(18, 2))) as repurchase_debt_amount,
        coalesce(customer_assets.pledge_debt_amount, cast(0 as decimal(18, 2))) as pledge_debt_amount,
        coalesce(customer_assets.total_asset_amount, cast(0 as decimal(18, 2))) as total_asset_amount,
        coalesce(customer_assets.net_asset_amount, cast(0 as decimal(18, 2))) as net_asset_amount
    from customers
    inner join trading_days on customers.business_date = trading_days.trading_date
    left join customer_assets
        on
            customers.customer_id = customer_assets.customer_id
            and customers.business_date = customer_assets.business_date
    where
        trading_days.is_compared
        -- said once more as literals, so that no other slice is read; no holiday is as long
        and customers.business_date between date_sub({{ run_date('first_date') }}, 31) and {{ run_date('last_date') }}
)

select * from final
