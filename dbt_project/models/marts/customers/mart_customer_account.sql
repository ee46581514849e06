with accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

account_assets as (
    select * from {{ ref('stg_gold__account_assets') }}
),

freshness as (
    select * from {{ ref('stg_gold__freshness') }}
),

final as (
    select
        account_assets.business_date as as_of_date,
        account_assets.business_line,
        account_assets.account_id,
        account_assets.customer_id,
        accounts.system_code,
        accounts.client_number,
        accounts.account_role,
        accounts.branch_id,
        accounts.account_status,
        accounts.open_date,
        accounts.close_date,
        account_assets.cash_amount,
        account_assets.securities_amount,
        account_assets.restricted_amount,
        account_assets.in_transit_amount,
        account_assets.fund_amount,
        account_assets.credit_asset_amount,
        account_assets.credit_debt_amount,
        account_assets.credit_net_amount,
        account_assets.option_equity_amount,
        account_assets.repurchase_asset_amount,
        account_assets.repurchase_debt_amount,
        account_assets.pledge_debt_amount,
        account_assets.total_asset_amount,
        account_assets.net_asset_amount,
        freshness.as_of_date as block_as_of_date,
        freshness.is_stale
    -- assets hold every account, also one whose own row was held back: its money stays in the totals
    from account_assets
    left join accounts
        on
            account_assets.business_line = accounts.business_line
            and account_assets.account_id = accounts.account_id
            and account_assets.business_date = accounts.business_date
    left join freshness
        on
            account_assets.business_line = freshness.block
            and account_assets.business_date = freshness.business_date
    where {{ is_loaded_date('account_assets.business_date') }}
)

select * from final
