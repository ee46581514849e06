-- No asset is lost between gold and the marts: accounts add up to gold's accounts, profiles to the accounts that have a
-- customer, and every row of gold has its row in the mart.
with account_assets as (
    select * from {{ ref('stg_gold__account_assets') }}
),

customers as (
    select * from {{ ref('stg_gold__customers') }}
),

accounts_in_mart as (
    select * from {{ ref('mart_customer_account') }}
),

profiles_in_mart as (
    select * from {{ ref('mart_customer_profile') }}
),

both_sides as (
    select
        'accounts' as total_name,
        as_of_date,
        0 as row_count,
        total_asset_amount,
        net_asset_amount
    from accounts_in_mart
    union all
    select
        'accounts' as total_name,
        business_date as as_of_date,
        0 as row_count,
        -total_asset_amount as total_asset_amount,
        -net_asset_amount as net_asset_amount
    from account_assets
    where {{ is_loaded_date('business_date') }}
    union all
    select
        'profiles' as total_name,
        as_of_date,
        0 as row_count,
        total_asset_amount,
        net_asset_amount
    from profiles_in_mart
    union all
    select
        'profiles' as total_name,
        as_of_date,
        0 as row_count,
        -total_asset_amount as total_asset_amount,
        -net_asset_amount as net_asset_amount
    from accounts_in_mart
    where customer_id is not null
    union all
    select
        'customers' as total_name,
        as_of_date,
        1 as row_count,
        0 as total_asset_amount,
        0 as net_asset_amount
    from profiles_in_mart
    union all
    select
        'customers' as total_name,
        business_date as as_of_date,
        -1 as row_count,
        0 as total_asset_amount,
        0 as net_asset_amount
    from customers
    where {{ is_loaded_date('business_date') }}
),

final as (
    select
        total_name,
        as_of_date,
        sum(row_count) as row_count_difference,
        sum(total_asset_amount) as total_difference_amount,
        sum(net_asset_amount) as net_difference_amount
    from both_sides
    group by total_name, as_of_date
)

select * from final
where
    row_count_difference != 0
    or total_difference_amount != 0
    or net_difference_amount != 0
