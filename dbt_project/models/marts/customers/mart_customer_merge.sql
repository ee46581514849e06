with customer_merges as (
    select * from {{ ref('stg_gold__customer_merges') }}
),

final as (
    select
        business_date as as_of_date,
        merged_customer_id as customer_id,
        customer_id as alias_customer_id,
        decided_date
    from customer_merges
    where customer_id != merged_customer_id
)

select * from final
