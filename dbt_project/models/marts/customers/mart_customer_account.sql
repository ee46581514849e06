with accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

account_assets as (
    select * from {{ ref('stg_gold__account_assets') }}
),

final as (
    select
        accounts.business_date as as_of_date,
        accounts.business_line,
        accounts.account_id,
        accounts.customer_id,
        accounts.system_code,
        accounts.client_number,
        accounts.account_role,
        accounts.branch_id,
        accounts.account_status,
        accounts.open_date,
        accounts.close_date,
        coalesce(account_assets.cash_amount, cast(0 as decimal(18, 2))) as cash_amount,
        coalesce(account_assets.securities_amount, cast(0 as decimal(18, 2))) as securities_amount,
        coalesce(account_assets.restricted_amount, cast(0 as decimal(18, 2))) as restricted_amount,
        coalesce(account_assets.in_transit_amount, cast(0 as decimal(18, 2))) as in_transit_amount,
        coalesce(account_assets.fund_amount, cast(0 as decimal(18, 2))) as fund_amount,
        coalesce(account_assets.credit_asset_amount, cast(0 as decimal(18, 2))) as credit_asset_amount,
        coalesce(account_assets.credit_debt_amount, cast(0 as decimal(18, 2))) as credit_debt_amount,
        coalesce(account_assets.credit_net_amount, cast(0 as decimal(18, 2))) as credit_net_amount,
        coalesce(account_assets.option_equity_amount, cast(0 as decimal(18, 2))) as option_equity_amount,
        coalesce(account_assets.total_asset_amount, cast(0 as decimal(18, 2))) as total_asset_amount,
        coalesce(account_assets.net_asset_amount, cast(0 as decimal(18, 2))) as net_asset_amount
    from accounts
    left join account_assets
        on
            accounts.business_line = account_assets.business_line
            and accounts.account_id = account_assets.account_id
            and accounts.business_date = account_assets.business_date
    where {{ is_loaded_date('accounts.business_date') }}
)

select * from final
