with source as (
    select * from {{ source('gold', 'account_assets') }}
),

final as (
    select
        business_line,
        account_id,
        business_date,
        customer_id,
        cash_amount,
        securities_amount,
        restricted_amount,
        in_transit_amount,
        fund_amount,
        credit_asset_amount,
        credit_debt_amount,
        credit_net_amount,
        option_equity_amount,
        repurchase_asset_amount,
        repurchase_debt_amount,
        pledge_debt_amount,
        total_asset_amount,
        net_asset_amount
    from source
    where {{ is_in_run_window('business_date') }}
)

select * from final
