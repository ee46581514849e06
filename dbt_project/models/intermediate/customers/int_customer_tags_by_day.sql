{{ config(materialized='ephemeral') }}

with trades as (
    select * from {{ ref('stg_gold__trades') }}
),

fund_confirmations as (
    select * from {{ ref('stg_gold__fund_confirmations') }}
),

cash_flows as (
    select * from {{ ref('stg_gold__cash_flows') }}
),

trades_with_exchange as (
    select
        *,
        case when business_line != 'option' then substring_index(instrument_id, '.', -1) end as exchange_code
    from trades
),

-- one line a tag: what a fill says of the customer who made it
tagged as (
    select
        customer_id,
        business_date,
        explode(array_compact(array(
            case when business_line = 'credit' then 'margin_trading' end,
            case when business_code = 'financing_buy' then 'financing' end,
            case when business_code = 'short_sell' then 'short_selling' end,
            case when business_line = 'option' then 'option_trading' end,
            case when position_side = 'covered' then 'covered_options' end,
            case when business_code = 'reverse_repo_lend' then 'reverse_repo' end,
            case when exchange_code = 'BSE' then 'bse_trading' end,
            case when exchange_code in ('HK_SH', 'HK_SZ') then 'hk_connect_trading' end,
            case when exchange_code in ('SSE_B', 'SZSE_B') then 'b_share_trading' end,
            case when channel = 'mobile' then 'mobile_ordering' end,
            case when channel = 'online' then 'online_ordering' end,
            case when channel = 'telephone' then 'telephone_ordering' end,
            case when channel = 'counter' then 'counter_ordering' end
        ))) as tag_name
    from trades_with_exchange
    union all
    select
        customer_id,
        business_date,
        case when business_code = 'periodic_purchase' then 'fund_plan' else 'fund_buying' end as tag_name
    from fund_confirmations
    where
        business_code in ('subscription', 'purchase', 'periodic_purchase')
        and confirmed_quantity > 0
    union all
    select
        customer_id,
        business_date,
        'ipo_paying' as tag_name
    from cash_flows
    where business_code = 'allotment_payment'
),

final as (
    select distinct
        customer_id,
        business_date,
        tag_name
    from tagged
    where customer_id is not null
)

select * from final
