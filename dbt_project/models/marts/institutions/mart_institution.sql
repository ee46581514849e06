{{ config(tags=['cockpit']) }}

with customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where
        {{ is_loaded_date('business_date') }}
        and customer_kind in ('institution', 'product')
),

described as (
    select * from {{ ref('int_institutions_chosen_by_customer') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

freshness as (
    select * from {{ ref('int_freshness_pivoted_by_day') }}
),

placed as (
    select
        customers.*,
        -- a manager who is not delivered that day cannot stand above its products
        coalesce(managers.customer_id, customers.customer_id) as parent_customer_id
    from customers
    left join customers as managers
        on
            customers.manager_customer_id = managers.customer_id
            and customers.business_date = managers.business_date
),

products as (
    select
        parent_customer_id,
        business_date,
        count(*) as product_count,
        sum(total_asset_amount) as total_asset_amount,
        sum(net_asset_amount) as net_asset_amount
    from placed
    where customer_id != parent_customer_id
    group by parent_customer_id, business_date
),

final as (
    select
        placed.customer_id,
        placed.business_date as as_of_date,
        placed.parent_customer_id,
        placed.customer_kind,
        placed.name_masked,
        placed.identity_kind,
        placed.identity_masked,
        placed.branch_id,
        branches.branch_name,
        branches.region_name,
        described.institution_kind,
        described.investor_class,
        described.registered_capital_amount,
        described.licence_expiry_date,
        datediff(described.licence_expiry_date, placed.business_date) as licence_expiry_days,
        described.contact_name_masked,
        described.contact_phone_masked,
        placed.risk_level,
        placed.customer_status,
        placed.open_date,
        cast(coalesce(products.product_count, 0) as int) as product_count,
        cast(placed.total_asset_amount + coalesce(products.total_asset_amount, 0) as decimal(18, 2))
            as group_total_asset_amount,
        cast(placed.net_asset_amount + coalesce(products.net_asset_amount, 0) as decimal(18, 2))
            as group_net_asset_amount,
        placed.cash_amount,
        placed.securities_amount,
        placed.restricted_amount,
        placed.in_transit_amount,
        placed.fund_amount,
        placed.credit_asset_amount,
        placed.credit_debt_amount,
        placed.credit_net_amount,
        placed.option_equity_amount,
        placed.repurchase_asset_amount,
        placed.repurchase_debt_amount,
        placed.pledge_debt_amount,
        placed.total_asset_amount,
        placed.net_asset_amount,
        freshness.normal_as_of_date,
        freshness.credit_as_of_date,
        freshness.option_as_of_date,
        freshness.fund_as_of_date,
        freshness.advice_as_of_date,
        freshness.fund_advice_as_of_date,
        freshness.is_stale,
        freshness.is_partial
    from placed
    left join products
        on
            placed.customer_id = products.parent_customer_id
            and placed.business_date = products.business_date
    left join described
        on
            placed.customer_id = described.customer_id
            and placed.business_date = described.business_date
    left join branches
        on
            placed.branch_id = branches.branch_id
            and placed.business_date = branches.business_date
    left join freshness on placed.business_date = freshness.business_date
)

select * from final
